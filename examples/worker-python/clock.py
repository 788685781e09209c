"""The clock process: says when it is time for something."""

import datetime
import os
import signal
import threading

stopping = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: stopping.set())
seconds = float(os.environ.get("CLOCK_SECONDS", "60"))
print("clock is ready", flush=True)
while not stopping.wait(seconds):
    print(f"tick {datetime.datetime.now(datetime.timezone.utc):%H:%M:%S}", flush=True)
print("clock stopped", flush=True)
