"""What Docker knows of a compose project's containers."""

from __future__ import annotations

import subprocess


def docker(*arguments: str) -> str:
    """The output of a docker command."""
    return subprocess.run(["docker", *arguments], capture_output=True, text=True, check=True).stdout.strip()


def containers(project: str, service: str) -> list[str]:
    """Ids of a service's running containers."""
    named = ("label=com.docker.compose.project=" + project, "label=com.docker.compose.service=" + service)
    return docker("ps", "--quiet", "--no-trunc", "--filter", named[0], "--filter", named[1]).split()


def processes(container: str) -> dict[int, str]:
    """Command lines by process id on this machine; none when the container has ended."""
    listing = subprocess.run(["docker", "top", container, "-eo", "pid,args"], capture_output=True, text=True)
    lines = [line.split(None, 1) for line in listing.stdout.splitlines()[1:]]
    return {int(pid): args for pid, args in lines}


def all_containers(project: str) -> str:
    """Ids of a compose project's containers, those that have ended too."""
    return docker("ps", "--all", "--quiet", "--filter", f"label=com.docker.compose.project={project}")


def owners(project: str, service: str) -> set[str]:
    """The users as whom a service's processes run, but for Docker's own init."""
    (container,) = containers(project, service)
    lines = docker("top", container, "-eo", "pid,uid,args").splitlines()[1:]
    return {line.split()[1] for line in lines if "docker-init" not in line and "python" in line}
