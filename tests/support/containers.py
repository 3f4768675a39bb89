"""The containers of a compose project, as the docker command reports them."""

from __future__ import annotations

import subprocess


def docker(*arguments: str) -> str:
    """Return the output of a docker command."""
    return subprocess.run(["docker", *arguments], capture_output=True, text=True, check=True).stdout.strip()


def containers(project: str, service: str) -> list[str]:
    """Return the IDs of a service's running containers."""
    named = ("label=com.docker.compose.project=" + project, "label=com.docker.compose.service=" + service)
    return docker("ps", "--quiet", "--no-trunc", "--filter", named[0], "--filter", named[1]).split()


def all_containers(project: str) -> str:
    """Return the IDs of a project's containers, including stopped ones."""
    return docker("ps", "--all", "--quiet", "--filter", f"label=com.docker.compose.project={project}")


def address(container: str) -> str:
    """Return a container's IP address."""
    return docker("inspect", "--format", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", container)


def processes(container: str) -> dict[int, str]:
    """Return a container's command lines by process ID on the host; none when it has stopped."""
    listing = subprocess.run(["docker", "top", container, "-eo", "pid,args"], capture_output=True, text=True)
    lines = [line.split(None, 1) for line in listing.stdout.splitlines()[1:]]
    return {int(pid): args for pid, args in lines}


def owners(project: str, service: str) -> set[str]:
    """Return the users that a service's Python processes run as."""
    (container,) = containers(project, service)
    lines = docker("top", container, "-eo", "pid,uid,args").splitlines()[1:]
    return {line.split()[1] for line in lines if "docker-init" not in line and "python" in line}
