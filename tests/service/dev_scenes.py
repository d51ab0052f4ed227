"""The package for authors: installed beside the other, used, upgraded, removed."""

from world import ROOT, expect

SCENES = []
EMBEDDED = """cmake_minimum_required(VERSION 3.25)
project(embedded LANGUAGES CXX)
set(CMAKE_CXX_STANDARD 20)
find_package(disttask REQUIRED)
add_executable(embedded embedded.cpp)
target_link_libraries(embedded PRIVATE disttask::executor disttask::planning disttask::scheduler disttask::storage_mysql disttask::sqlclient
  disttask::plugin_api disttask::runtime)
"""


def scene(function):
    """Adds a scene; they run in this order."""
    SCENES.append(function)
    return function


def build(container, folder, limit=300):
    """Builds a project as its author does."""
    container.must("sh", "-c", f"cd {folder} && cmake -S . -B build -G Ninja >log 2>&1 && cmake --build build >>log 2>&1 || {{ tail -n 30 log; exit 1; }}", limit=limit)


def packaged(container, package):
    """Returns the files of an installed package, without folders."""
    return container.must("sh", "-c", f"dpkg -L {package} | while read -r file; do [ -d \"$file\" ] || echo \"$file\"; done").split()


@scene
def dev(world):
    """libdisttask-dev: a plugin and a program that embeds the library are built with it; upgraded and removed it leaves the node alone and nothing behind."""
    container = world.plain()
    world.started()
    world.install("before", world.before_dev, world.before)
    container.wait_for("disttaskd", ActiveState="active")
    world.install("now", world.now_dev, world.now)
    container.wait_for("disttaskd", ActiveState="active")
    expect("it is this version", container.must("dpkg-query", "-W", "-f", "${Version}", "libdisttask-dev") == world.version)
    theirs = packaged(container, "libdisttask-dev")
    wrong = [file for file in theirs if not file.startswith(("/usr/include/", "/usr/share/doc/libdisttask-dev/")) and "/cmake/disttask/" not in file and not file.endswith(".a")]
    expect("it has what authors need alone", theirs and not wrong, str(wrong))
    wrong = [file for file in packaged(container, "disttask") if file.endswith((".a", ".h", ".hpp", ".cmake"))]
    expect("a node gets nothing of it", not wrong, str(wrong))

    container.must("sh", "-c", "rm -rf /srv/author && mkdir -p /srv/author/embedded && cd /srv/author && disttaskctl plugin new add_up")
    build(container, "/srv/author/add_up")
    container.must("ctest", "--test-dir", "/srv/author/add_up/build", "--output-on-failure")
    container.must("cp", "-r", f"{ROOT}/docs/examples/hello_plugin", "/srv/author/hello")
    build(container, "/srv/author/hello")
    plugins = world.plugins
    container.must("install", "-m", "755", "/srv/author/hello/build/hello.so", plugins)
    more = world.settings_text().replace(f"[{plugins}/csv_import.so", f"[{plugins}/hello.so, {plugins}/csv_import.so")
    container.write("/etc/disttask/disttask.yaml", more)
    container.must("systemctl", "restart", "disttaskd")
    world.must("disttaskctl", "task", "submit", "--type", "hello", "--key", "authors", "--wait", "--timeout", "60s")
    container.must("cp", f"{ROOT}/docs/examples/embedded/embedded.cpp", "/srv/author/embedded/")
    container.write("/srv/author/embedded/CMakeLists.txt", EMBEDDED)
    build(container, "/srv/author/embedded")
    container.must("ldd", "/srv/author/embedded/build/embedded")

    pid = container.show("disttaskd", "MainPID")
    container.must("apt-get", "remove", "-y", "libdisttask-dev")
    expect("nothing of it is left", not [file for file in theirs if container.run("test", "-e", file).returncode == 0])
    expect("the node did not notice", container.show("disttaskd", "MainPID") == pid)
    container.must("rm", "-r", "/srv/author", f"{plugins}/hello.so")
