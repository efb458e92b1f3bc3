<?php
$db = new mysqli('db', 'app', 'secret', 'app');
echo $db->query('SELECT VERSION()')->fetch_row()[0], "\n";
