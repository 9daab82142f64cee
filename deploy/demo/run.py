"""Starts both dashboards and `gatehouse demo` in front of them; Ctrl-C stops all.

    python run.py --gatehouse dist/gatehouse --listen localhost:8000
"""

from __future__ import annotations

import argparse
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parent
READY_WITHIN = 60.0  # seconds; a first start compiles Gradio's bytecode


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on now. All are held until all are found, so they differ."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


def start_dashboard(script: str, port: int) -> subprocess.Popen[bytes]:
    print(f"Starting {script} on 127.0.0.1:{port}", flush=True)
    return subprocess.Popen([sys.executable, str(HERE / script), "--port", str(port)])


def wait_until_ready(app: subprocess.Popen[bytes], port: int) -> None:
    """Returns once the app answers. Exits when it died or takes too long."""
    deadline = time.monotonic() + READY_WITHIN
    while app.poll() is None and time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/config", timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    state = "did not answer" if app.poll() is None else f"ended with code {app.returncode}"
    sys.exit(f"the dashboard on port {port} {state}")


def stop(processes: list[subprocess.Popen[bytes]]) -> None:
    for process in processes:
        process.terminate()
    for process in processes:
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def stop_on_terminate(number: int, frame: object) -> None:
    raise KeyboardInterrupt


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gatehouse", required=True, help="the gatehouse binary")
    parser.add_argument("--listen", default="localhost:8000", help="address for Gatehouse")
    args = parser.parse_args()

    signal.signal(signal.SIGTERM, stop_on_terminate)
    processes: list[subprocess.Popen[bytes]] = []
    try:
        ports = free_ports(2)
        for script, port in zip(("admin_dashboard.py", "user_dashboard.py"), ports):
            processes.append(start_dashboard(script, port))
        for app, port in zip(list(processes), ports):
            wait_until_ready(app, port)
        upstreams = [flag for port in ports for flag in ("--upstream", f"http://127.0.0.1:{port}")]
        gatehouse = subprocess.Popen([args.gatehouse, "demo", "--listen", args.listen, *upstreams])
        processes.insert(0, gatehouse)
        return gatehouse.wait()
    except KeyboardInterrupt:
        return 0
    finally:
        stop(processes)


if __name__ == "__main__":
    sys.exit(main())
