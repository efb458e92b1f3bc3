<?php
$db = new PDO('sqlite:/data/app.sqlite', options: [PDO::SQLITE_ATTR_OPEN_FLAGS => PDO::SQLITE_OPEN_READONLY]);
echo $db->query('SELECT v FROM t')->fetchColumn(), "\n";
