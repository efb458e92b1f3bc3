from flask import Flask
from pymemcache.client.base import Client

app = Flask(__name__)


@app.get("/")
def read():
    return Client(("cache", 11211)).get("value") or b"nothing"


@app.get("/set/<value>")
def write(value):
    Client(("cache", 11211)).set("value", value)
    return "stored"
