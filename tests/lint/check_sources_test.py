#!/usr/bin/env python3
"""Each rule of check_sources.py finds what breaks it, and nothing else."""

import os
import tempfile
import unittest

import check_sources


def findings(path, text):
    return [finding for _, finding in check_sources.check_file(path, text)]


class Rules(unittest.TestCase):
    def assert_finds(self, path, text, part):
        found = findings(path, text)
        self.assertEqual(len(found), 1, found)
        self.assertIn(part, found[0])

    def test_third_party_headers_have_one_home(self):
        for header, home in [
            ("boost/asio/io_context.hpp", "lib/runtime/src/a.cpp"),
            ("cppconn/driver.h", "lib/sqlclient/src/a.cpp"),
            ("mysql_driver.h", "lib/sqlclient/src/a.cpp"),
            ("yaml-cpp/yaml.h", "lib/settings/src/a.cpp"),
            ("nlohmann/json.hpp", "lib/base/src/a.cpp"),
            ("CLI/CLI.hpp", "daemon/a.cpp"),
            ("dlfcn.h", "lib/plugin/loader/src/a.cpp"),
            ("spdlog/logger.h", "lib/observability/src/a.cpp"),
            ("systemd/sd-daemon.h", "daemon/a.cpp"),
        ]:
            text = f"#include <{header}>\n"
            self.assertEqual(findings(home, text), [], header)
            self.assert_finds("lib/executor/src/a.cpp", text, header)

    def test_banned_calls_are_found_outside_their_home(self):
        for code in [
            "std::thread t;",
            "std::jthread t;",
            "auto f = std::async(run);",
            "t.detach();",
            "std::this_thread::sleep_for(1s);",
            "usleep(3);",
            "std::chrono::system_clock::now();",
            "sql::mysql::get_driver_instance();",
            "dlopen(path, 0);",
            'std::getenv("X");',
            "std::exit(1);",
            "exit(1);",
        ]:
            self.assert_finds("lib/executor/src/a.cpp", code + "\n", "is not used here")
        self.assertEqual(findings("lib/runtime/src/thread_group.cpp", "std::thread t;\n"), [])
        self.assertEqual(findings("daemon/main.cpp", 'std::getenv("X");\n'), [])
        self.assertEqual(findings("lib/base/src/failpoint.cpp", 'std::getenv("X");\n'), [])
        self.assert_finds("tests/unit/a_test.cpp", "std::this_thread::sleep_for(1s);\n", "eventually")

    def test_similar_names_comments_and_literals_are_not_calls(self):
        text = """// std::thread, dlopen(
/* exit(1) */ std::thread::id id; on_exit(1); _exit(1); ::_exit(2); object.exit(1); quick_exit(1);
auto a = "std::async"; auto b = R"(getenv)"; int c = 1'000'000; char d = '"'; // "
"""
        self.assertEqual(findings("lib/executor/src/a.cpp", text), [])

    def test_code_after_literals_and_digit_separators_is_still_seen(self):
        text = "int c = 1'000; char d = '\"'; std::async(f); const char* e = \"x\";\n"
        self.assert_finds("lib/executor/src/a.cpp", text, "std::async")

    def test_sql_texts_stand_with_the_statements(self):
        text = 'auto a = "select id " // why\n  "from disttask_node";\n'
        self.assert_finds("lib/scheduler/src/a.cpp", text, "SQL text")
        self.assert_finds("daemon/a.cpp", 'auto a = R"(update t set x=1)";\n', "SQL text")
        self.assert_finds("daemon/a.cpp", 'auto a = "Delete from t";\n', "SQL text")
        self.assertEqual(findings("lib/storage/mysql/src/statements/node.hpp", "#pragma once\n" + text), [])
        self.assertEqual(findings("daemon/a.cpp", 'auto a = "select a node, or update your settings";\n'), [])

    def test_files_have_at_most_600_lines(self):
        self.assert_finds("lib/a/src/a.cpp", "\n" * 601, "601 lines")
        self.assertEqual(findings("lib/a/src/a.cpp", "\n" * 600), [])

    def test_headers_are_included_once(self):
        self.assert_finds("lib/a/src/a.hpp", "int x;\n", "#pragma once")

    def test_names_of_tests_can_be_run_by_name(self):
        for name in [
            'TEST_CASE("a; b") {',
            'TEST_CASE("a, b, " // why "not"\n  "c; d", "[x]") {',
            'TEST_CASE(\n    "a; b", "[x]"\n) {',
            'TEST_CASE_METHOD(Fixture, "a; b") {',
            'SCENARIO("-a") {',
            'TEMPLATE_TEST_CASE("a; b", "", int) {',
            'TEMPLATE_TEST_CASE_METHOD(Fixture, "-a", "", int) {',
            'TEST_CASE("-a") {',
        ]:
            self.assert_finds("tests/unit/a_test.cpp", "int a; // x\n" + name + "\n", "test name")
        for code in [
            'TEST_CASE("a-b, c", "[;]") { run("a; b"); CHECK("-x" == y); }',
            'const char* kText = "a; b"; int TEST_CASES; TEST_CASE("a") {}',
            '// TEST_CASE("a; b")',
        ]:
            self.assertEqual(findings("tests/unit/a_test.cpp", code + "\n"), [], code)

    def test_the_line_of_a_test_name_is_told(self):
        self.assertEqual([line for line, _ in check_sources.check_file("tests/a_test.cpp", '\n\nTEST_CASE("a; b") {\n')], [3])

    def test_statements_have_a_name_of_their_own(self):
        one = 'inline constexpr Sql kA{"a", "x"};\n// inline constexpr Sql kB{"b", "x"};\n'
        other = 'inline constexpr sqlclient::Sql kB{"b",\n "x"};\n'
        self.assertEqual(list(check_sources.check_statements({"a.hpp": one, "b.hpp": other})), [])
        found = list(check_sources.check_statements({"a.hpp": one, "b.hpp": other, "c.hpp": "\n" + one}))
        self.assertEqual([(path, line) for path, line, _ in found], [("c.hpp", 2)])
        self.assertIn("kA is defined in a.hpp", found[0][2])

    def test_statements_of_one_name_are_found_in_the_tree(self):
        with tempfile.TemporaryDirectory() as root:
            folder = os.path.join(root, "lib", "storage", "mysql", "src", "statements")
            os.makedirs(folder)
            for name in ["a.hpp", "b.hpp"]:
                with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
                    file.write('#pragma once\ninline constexpr Sql kA{"a", "x"};\n')
            self.assertEqual(len(check_sources.check(root)), 1)
            self.assertIn("b.hpp:2:", check_sources.check(root)[0])

    def test_public_headers_belong_to_a_header_set(self):
        with tempfile.TemporaryDirectory() as root:
            folder = os.path.join(root, "lib", "a", "include", "disttask", "a")
            os.makedirs(folder)
            for name in ["in.hpp", "out.hpp"]:
                with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
                    file.write("#pragma once\n")
            held = os.path.join(root, "held.txt")
            with open(held, "w", encoding="utf-8") as file:
                file.write(os.path.join(folder, "in.hpp") + "\n")
            self.assertEqual(len(check_sources.check(root, held)), 1)
            self.assertIn("lib/a/include/disttask/a/out.hpp:1:", check_sources.check(root, held)[0])
            self.assertEqual(check_sources.check(root), [])


if __name__ == "__main__":
    unittest.main()
