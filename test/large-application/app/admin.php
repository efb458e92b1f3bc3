<?php
if ($_SERVER['REQUEST_URI'] === '/admin/health') exit('ok');
$db = new mysqli('reports', 'app', 'secret', 'app');
echo 'mails ', $db->query('SELECT COUNT(*) FROM mails')->fetch_row()[0], "\n";
