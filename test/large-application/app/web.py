import psycopg2
import redis
from flask import Flask
from pymemcache.client.base import Client

app = Flask(__name__)


@app.get("/health")
def health():
    return "ok"


@app.get("/order/<name>")
def order(name):
    redis.Redis(host="queue").lpush("orders", name)
    return "queued"


@app.get("/orders")
def orders():
    with psycopg2.connect(host="db", user="postgres") as db, db.cursor() as cursor:
        cursor.execute("SELECT COUNT(*), COALESCE(MAX(made), 0) FROM orders")
        count, made = cursor.fetchone()
    Client(("cache", 11211)).set("orders", str(count))
    return f"orders {count}, each made {made} time"


@app.get("/cached")
def cached():
    return Client(("cache", 11211)).get("orders") or b"nothing"
