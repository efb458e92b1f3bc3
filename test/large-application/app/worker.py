"""Makes each order once: what a worker has begun stays in a list until it is in the database."""
import socket

import psycopg2
import redis

queue = redis.Redis(host="queue")
begun = f"begun:{socket.gethostname()}"
insert = """INSERT INTO orders VALUES (%s, 1)
ON CONFLICT (name) DO UPDATE SET made = orders.made + 1"""
while True:
    name = queue.brpoplpush("orders", begun)
    with psycopg2.connect(host="db", user="postgres") as db, db.cursor() as cursor:
        cursor.execute(insert, (name.decode(),))
    queue.lpush("mails", name)
    queue.lrem(begun, 1, name)
