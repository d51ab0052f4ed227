#include "chunk_size.hpp"

#include <catch2/catch.hpp>

using disttask::sql_batch::ChunkSize;

TEST_CASE("A chunk's size goes to what fits the wanted time, at most twice as large at once") {
  ChunkSize size(1000, 50'000);
  size.took(1000, 10, 500);
  CHECK(size.rows() == 2000);
  size.took(2000, 1000, 500);
  CHECK(size.rows() == 1000);
  size.took(1000, 100'000, 500);
  CHECK(size.rows() == 250);
  size.took(250, 500, 500);
  CHECK(size.rows() == 250);
}

TEST_CASE("It stays within its bounds, small last chunks and chunk_time 0 say nothing") {
  ChunkSize size(1000, 1500);
  size.took(1000, 1, 500);
  CHECK(size.rows() == 1500);
  size.took(10, 400, 500);
  CHECK(size.rows() == 1500);
  size.took(1500, 5000, 0);
  CHECK(size.rows() == 1500);
}

TEST_CASE("After a conflict it is half, and does not grow for ten chunks") {
  ChunkSize size(1000, 50'000);
  size.halve();
  CHECK(size.rows() == 500);
  for (int i = 0; i != 10; ++i) {
    size.took(500, 1, 500);
    CHECK(size.rows() == 500);
  }
  size.took(500, 1, 500);
  CHECK(size.rows() == 1000);
  size.set(1);
  size.halve();
  CHECK(size.rows() == 1);
}
