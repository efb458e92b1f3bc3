<?php
$db = new PDO('pgsql:host=db;dbname=postgres', 'postgres');
$cache = new Redis();
$cache->connect('cache');
$cache->set('word', 'from redis');
echo $db->query('SELECT version()')->fetchColumn(), ' ', $cache->get('word'), "\n";
