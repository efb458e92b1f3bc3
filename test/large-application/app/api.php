<?php
if ($_SERVER['REQUEST_URI'] === '/api/health') exit('ok');
$queue = new Redis();
$queue->connect('queue');
$waiting = $queue->lLen('orders');
if ($_SERVER['REQUEST_URI'] === '/api/metrics') {
    header('Content-Type: text/plain');
    exit("shop_waiting $waiting\n");
}
echo json_encode(['waiting' => $waiting]);
