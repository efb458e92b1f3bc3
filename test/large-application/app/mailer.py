import subprocess

import pymysql
import redis

queue = redis.Redis(host="queue")
while True:
    _, name = queue.brpop("mails")
    subprocess.run(["mosquitto_pub", "-h", "broker", "-t", "mails", "-m", name], check=True)
    with pymysql.connect(host="reports", user="app", password="secret", database="app") as db:
        with db.cursor() as cursor:
            cursor.execute("INSERT IGNORE INTO mails VALUES (%s)", (name.decode(),))
        db.commit()
