"""Seconds from a package to the first answered tools/call. Usage: front_door.py FOLDER_WITH_PACKAGES"""

import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from pathlib import Path

VENDOR = "mcp-luma==2026.10.18.4"
MOST_BYTES = 6_000_000
GOAL = 10.0
PATIENCE = 300
TOOL = "luma_list_aspect_ratios"

MESSAGES = [
    {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "initialize",
        "params": {
            "protocolVersion": "2025-06-18",
            "capabilities": {},
            "clientInfo": {"name": "front-door", "version": "1"},
        },
    },
    {"jsonrpc": "2.0", "method": "notifications/initialized"},
    {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": TOOL, "arguments": {}}},
]


def environment(home):
    """Nothing of this user's, and no Rust."""
    folders = [Path(shutil.which("uv")).parent, Path(sys.base_prefix) / "bin", "/usr/bin", "/bin"]
    node = Path(shutil.which("node")).parent
    path = os.pathsep.join(map(str, dict.fromkeys([*folders, node])))
    for program in ["cargo", "rustc", "luma"]:
        assert shutil.which(program, path=path) is None, f"{program} is on the PATH"
    kept = ("PIP_", "UV_", "npm_config_", "SSL_", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "LANG")
    variables = {name: value for name, value in os.environ.items() if name.startswith(kept)}
    # The certificates of the machine, as pip and npm use them.
    return variables | {
        "HOME": home,
        "PATH": path,
        "UV_PYTHON": str(Path(sys.base_prefix) / "bin/python3"),
        "UV_SYSTEM_CERTS": "1",
        "ACEDATACLOUD_API_TOKEN": "none-is-needed-for-this-call",
    }


def answer(process):
    """The result of the call. Each message follows the response to the one before."""
    for message in MESSAGES:
        process.stdin.write(json.dumps(message) + "\n")
        process.stdin.flush()
        while "id" in message:
            line = process.stdout.readline()
            if not line:
                raise RuntimeError("the server ended")
            response = json.loads(line)
            if response.get("id") == message["id"]:
                break
    return response["result"]


def measure(command):
    """Seconds, and the text that the tool answered."""
    with tempfile.TemporaryDirectory() as home, tempfile.TemporaryFile("w+") as errors:
        begin = time.monotonic()
        process = subprocess.Popen(
            ["bash", "-euc", command],
            cwd=home,
            env=environment(home),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            start_new_session=True,
        )
        limit = threading.Timer(PATIENCE, process.kill)
        limit.start()
        try:
            result = answer(process)
        except (RuntimeError, ValueError) as error:
            errors.seek(0)
            sys.exit(f"{command}: {error}\n{errors.read()}")
        finally:
            limit.cancel()
        seconds = time.monotonic() - begin
        process.stdin.close()
        process.wait(PATIENCE)
    text = json.dumps(result)
    assert "21:9" in text and not result.get("isError"), text
    return seconds


def unpack(bundle, folder):
    """What a host does with a bundle: the command that it starts."""
    with zipfile.ZipFile(bundle) as archive:
        for entry in archive.infolist():
            archive.extract(entry, folder)
            os.chmod(Path(folder) / entry.filename, entry.external_attr >> 16)
    config = json.loads((Path(folder) / "manifest.json").read_text())["server"]["mcp_config"]
    words = [config["command"], *config["args"]]
    fill = {"${__dirname}": str(folder), "${user_config.max_videos}": "20"}
    for name, value in fill.items():
        words = [word.replace(name, value) for word in words]
    return shlex.join(words)


def main():
    work = Path(sys.argv[1])
    wheel = next((work / "wheels").glob("luma_client-*.whl"))
    # The package of the platform's name is the longer one.
    main_package, platform = sorted(work.glob("luma-client-*.tgz"), key=lambda path: len(path.name))
    bundle = work / "luma-client.mcpb"
    pip = "python3 -m venv v && v/bin/pip install --quiet --disable-pip-version-check {} >&2 && exec v/bin/{}"

    def from_bundle():
        begin = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            command = unpack(bundle, folder)
            unpacked = time.monotonic() - begin
            return unpacked + measure(f"exec {command}")

    rows = [
        ("uvx", wheel, lambda: measure(f"exec uvx --from {wheel} luma-client mcp")),
        ("uvx", VENDOR, lambda: measure(f"exec uvx {VENDOR}")),
        ("pip install", wheel, lambda: measure(pip.format(wheel, "luma mcp"))),
        ("pip install", VENDOR, lambda: measure(pip.format(VENDOR, "mcp-luma"))),
        (
            "npm install",
            main_package,
            lambda: measure(
                f"npm install --silent {platform} {main_package} >&2 && exec node_modules/.bin/luma-client mcp"
            ),
        ),
        ("bundle", bundle, from_bundle),
    ]
    print("| installed by | package | size | to the first answer |")
    print("|---|---|---|---|")
    seconds = {}
    for how, package, run in rows:
        is_ours = isinstance(package, Path)
        name = package.name if is_ours else package
        seconds[how, is_ours] = run()
        size = f"{package.stat().st_size / 1e6:.2f} MB" if is_ours else ""
        print(f"| {how} | {name} | {size} | {seconds[how, is_ours]:.2f} s |", flush=True)
    print(f"with {platform.name}: {platform.stat().st_size / 1e6:.2f} MB")
    slow = [how for (how, is_ours), time in seconds.items() if is_ours and time > GOAL]
    behind = [how for how in ("uvx", "pip install") if seconds[how, True] > seconds[how, False]]
    # On a busy machine a time is no verdict.
    print(f"goal: at most {GOAL:.0f} s, and the vendor's time: {'missed by ' + str(slow + behind) if slow + behind else 'met'}")
    if wheel.stat().st_size > MOST_BYTES:
        sys.exit(f"the wheel is larger than {MOST_BYTES / 1e6} MB")


if __name__ == "__main__":
    main()
