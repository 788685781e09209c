"""The worker process: does a job again and again, and finishes the one at hand before it stops."""

import os
import signal
import threading

stopping = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: stopping.set())
seconds = float(os.environ.get("WORK_SECONDS", "10"))
done = 0
print("worker is ready", flush=True)
while not stopping.wait(seconds):
    done += 1
    print(f"worker finished job {done}", flush=True)
print("worker stopped", flush=True)
