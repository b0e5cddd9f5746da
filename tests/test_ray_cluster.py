"""A Ray cluster that cannot be had, that is lost, or that is silent; without Ray itself."""

import os
import socket
import subprocess
import sys

import pytest

from recbole_llmdistill import ray_cluster
from recbole_llmdistill.errors import InputError

WATCHED = """
import sys, time
from recbole_llmdistill import ray_cluster

ray_cluster._PROBE_SECONDS = 0.1
ray_cluster.SILENCE_SECONDS = float(sys.argv[1])
ray_cluster._ANSWER_SECONDS = 0.2
ray_cluster._state = {"hangs": lambda: time.sleep(60), "answers": lambda: "1 of 2 CPUs free"}[sys.argv[2]]
cluster = ray_cluster.RayCluster("no trial has reported", "go on by --resume")
cluster.start()
cluster._connected = True
for text in sys.argv[3].split("|"):
    cluster.reported({"lines": [text]}, ignore_prefix=False)
cluster._endpoints = [("head process", ("127.0.0.1", int(port))) for port in sys.argv[4:]]
time.sleep(3)
print("went on")
cluster.close()
"""


def enter(address: str, flag: str = "--address") -> None:
    with ray_cluster.ray_cluster(address, flag, "tune", "nothing has come", "go on"):
        pass


def watched(*arguments: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-c", WATCHED, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def test_an_address_where_nobody_listens_is_refused_at_once(monkeypatch, free_port: int) -> None:
    import ray

    monkeypatch.setattr(ray, "init", None)  # Ray itself would wait for minutes
    for address in (f"127.0.0.1:{free_port}", f"ray://127.0.0.1:{free_port}"):
        with pytest.raises(InputError, match=f"--address={address}: no Ray cluster there; start one by `ray start"):
            enter(address)
    monkeypatch.setenv("RAY_ADDRESS", f"127.0.0.1:{free_port}")
    with pytest.raises(InputError, match=f"--ray=auto with RAY_ADDRESS=127.0.0.1:{free_port}: no Ray cluster there"):
        enter("auto", "--ray")


@pytest.mark.parametrize("address", ["nonsense", "host:", "host:port", ":6379", "host:99999", "ray://"])
def test_what_is_no_address_is_said_to_be_none(address: str) -> None:
    with pytest.raises(InputError, match="no address; write auto, local, HOST:PORT or ray://HOST:PORT"):
        enter(address)


def test_ray_that_does_not_start_is_told_in_one_line(monkeypatch) -> None:
    import ray

    def fail(**options):
        raise OSError("[Errno 98]\nAddress already in use")

    monkeypatch.setattr(ray, "init", fail)
    with pytest.raises(InputError) as caught:
        enter("local")
    message = str(caught.value)
    assert message.startswith("Ray does not start on this machine ([Errno 98] Address already in use); end what")
    assert "`ray stop`" in message
    assert "\n" not in message


def test_the_gpus_are_those_that_the_user_made_visible(monkeypatch) -> None:
    import ray

    seen = []
    monkeypatch.setattr(ray, "init", lambda **options: seen.append(os.environ.get("CUDA_VISIBLE_DEVICES")) or 1 / 0)
    for given in ("0,1", None):
        monkeypatch.setattr(ray_cluster, "_VISIBLE_GPUS", given)
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "7")  # as RecBole's config leaves it
        with pytest.raises(InputError):
            enter("local")
    assert seen == ["0,1", None]


def test_a_lost_process_ends_the_command_in_one_line(free_port: int) -> None:
    done = watched("60", "answers", "", str(free_port))
    assert done.returncode == 2
    assert done.stderr == "error: Ray's head process has ended, and the cluster with it; go on by --resume\n"
    assert done.stdout == ""


def test_silence_is_spoken_of_with_what_ray_has_reported() -> None:
    done = watched("1", "answers", "2 Workers (tasks / actors) killed due to memory pressure (OOM)|hello")
    assert (done.returncode, done.stdout) == (0, "went on\n")
    lines = done.stderr.splitlines()
    assert 1 <= len(lines) <= 3
    assert lines[0] == (
        "no trial has reported for 1 s; Ray says: 1 of 2 CPUs free, Ray ended its process because memory ran short"
    )


def test_processes_that_are_lost_again_and_again_end_the_command() -> None:
    done = watched("60", "answers", "|".join(["A worker died or was killed while executing a task"] * 3))
    assert done.returncode == 2
    assert done.stderr == (
        "error: no trial has reported, and 3 times a process was lost: its process was killed; go on by --resume\n"
    )


def test_a_start_that_a_busy_machine_did_not_make_in_time_is_tried_once_more(monkeypatch, capsys) -> None:
    import ray

    starts = []

    def start(**options):
        starts.append(options)
        raise RuntimeError("The current node timed out during startup." if len(starts) == 1 else "no room")

    monkeypatch.setattr(ray, "init", start)
    with pytest.raises(InputError, match=r"Ray does not start on this machine \(no room\)"):
        enter("local")
    assert len(starts) == 2
    assert "it is started once more" in capsys.readouterr().err


def test_a_ray_that_does_not_answer_is_given_up() -> None:
    done = watched("0.5", "hangs", "")
    assert done.returncode == 2
    first, second = done.stderr.splitlines()
    assert first.endswith("; Ray does not answer")
    assert second.startswith("error: Ray has not answered for ")
    assert second.endswith("; go on by --resume")


def test_the_cause_of_a_failure_is_found_inside_of_rays() -> None:
    from ray.exceptions import RayTaskError

    cluster = ray_cluster.RayCluster("", "go on")
    ours = InputError("the model is not there")
    wrapped = RayTaskError("f", "Traceback\n ...", ours).as_instanceof_cause()
    for error in (ours, wrapped, _caused(RuntimeError("a\nb"), wrapped)):
        assert str(cluster.failure(error)) == "the model is not there"
    assert str(cluster.failure(RuntimeError("a\nb"))) == "RuntimeError: a b; go on"
    cluster.close()


def _caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error
