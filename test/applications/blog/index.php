<?php
$db = new mysqli('db', 'app', 'secret', 'app');
$db->query('CREATE TABLE IF NOT EXISTS posts (id INT AUTO_INCREMENT PRIMARY KEY, body TEXT)');
if (isset($_GET['post'])) {
    $add = $db->prepare('INSERT INTO posts (body) VALUES (?)');
    $add->execute([$_GET['post']]);
}
$posts = array_column($db->query('SELECT body FROM posts ORDER BY id')->fetch_all(), 0);
echo implode(' ', $posts), "\n";
