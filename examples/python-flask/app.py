"""A Flask app that says what powers it."""

import os

from flask import Flask

app = Flask(__name__)
print("python-flask is ready", flush=True)


@app.get("/")
def home():
    return f"Powered by {os.environ.get('POWERED_BY', 'Deis')}\n"


@app.get("/health")
def health():
    return "ok\n"
