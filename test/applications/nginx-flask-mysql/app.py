import os
import pymysql
from flask import Flask

app = Flask(__name__)


@app.get("/")
def index():
    with pymysql.connect(host="db", user="app", password="secret", database="app") as db:
        with db.cursor() as cursor:
            cursor.execute("CREATE TABLE IF NOT EXISTS visits (at TIMESTAMP)")
            cursor.execute("INSERT INTO visits VALUES (NOW())")
            cursor.execute("SELECT COUNT(*) FROM visits")
            (count,) = cursor.fetchone()
        db.commit()
    return f"visit {count}\n"
