// Runs GEMM cases on a verilated engine: a DRAM model around its three streams, one process for
// many cases.  Started by rtl/verilator.py, which defines the COUNTERS list and the port width.
//
// Verilator writes a double underscore in a port name as ___05F.
//
// Case file, little-endian 32-bit words:
//   cases, beat_bytes, descriptor_words
//   per case: latency, gap_seed, gap_256 (chance of a gap or of back-pressure, in 1/256),
//             max_cycles, read_beats, write_base, write_beats, first and last cycle of the waveform
//             (last before first: none), descriptor, memory image
// Result file: per case: status (0 done, 1 time-out, 2 bad address, 3 beats left over), 64-bit
//   cycles, 64-bit counters, written beats, and the 32-bit cycle at which each was written (0 =
//   never).

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <memory>
#include <string>
#include <type_traits>
#include <vector>

#include "Vengine.h"
#include "verilated.h"
#if VM_TRACE
#include "verilated_vcd_c.h"
#endif

double sc_time_stamp() { return 0; }

namespace {

template <typename T>
void put(T& port, const uint32_t* words, size_t count) {
  if constexpr (std::is_integral_v<T>) {
    uint64_t value = words[0];
    if (sizeof(T) > 4 && count > 1) value |= uint64_t(words[1]) << 32;
    port = T(value);
  } else {
    for (size_t i = 0; i < count; ++i) port[i] = words[i];
  }
}

template <typename T>
uint32_t get(const T& port, size_t index) {
  if constexpr (std::is_integral_v<T>) {
    return index > 1 ? 0 : uint32_t(uint64_t(port) >> (32 * index));
  } else {
    return port[index];
  }
}

uint32_t read_word(FILE* file) {
  uint32_t word = 0;
  if (fread(&word, 4, 1, file) != 1) {
    fprintf(stderr, "case file is truncated\n");
    exit(3);
  }
  return word;
}

class Random {  // xorshift32: the same gaps on every machine
 public:
  explicit Random(uint32_t seed) : state_(seed * 2654435761u + 1) {
    if (!state_) state_ = 1;
  }
  bool chance(uint32_t of_256) {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 17;
    state_ ^= state_ << 5;
    return (state_ >> 8 & 255) < of_256;
  }

 private:
  uint32_t state_;
};

struct Burst {
  uint64_t ready;  // first cycle in which its first beat may be valid
  uint32_t beat;
  uint32_t left;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    fprintf(stderr, "usage: engine CASES RESULTS [WAVES]\n");
    return 3;
  }
  FILE* in = fopen(argv[1], "rb");
  FILE* out = fopen(argv[2], "wb");
  if (!in || !out) {
    fprintf(stderr, "cannot open %s or %s\n", argv[1], argv[2]);
    return 3;
  }
  const auto context = std::make_unique<VerilatedContext>();
  const auto top = std::make_unique<Vengine>(context.get());
  uint64_t time = 0;
#if VM_TRACE
  std::unique_ptr<VerilatedVcdC> waves;
  if (argc > 3) {
    context->traceEverOn(true);
    waves = std::make_unique<VerilatedVcdC>();
    top->trace(waves.get(), 99);
    waves->open(argv[3]);
  }
#endif
  bool dump = false;
  auto half = [&](int clock) {
    top->clk = clock;
    top->eval();
#if VM_TRACE
    if (waves && dump) waves->dump(time);
#endif
    time += 5;
  };

  top->start___05Fvalid = 0;
  top->read___05Fvalid = 0;
  top->command___05Fready = 0;
  top->write___05Fready = 0;
  top->rst = 1;
  for (int i = 0; i < 4; ++i) half(i & 1);
  top->rst = 0;

  const uint32_t cases = read_word(in);
  const uint32_t beat_bytes = read_word(in);
  const uint32_t descriptor_words = read_word(in);
  const uint32_t beat_words = (beat_bytes + 3) / 4;
  std::vector<uint32_t> scratch(beat_words + 2);
  for (uint32_t index = 0; index < cases; ++index) {
    const uint32_t latency = read_word(in);
    Random random(read_word(in));
    const uint32_t gap = read_word(in);
    const uint32_t max_cycles = read_word(in);
    const uint32_t read_beats = read_word(in);
    const uint32_t write_base = read_word(in);
    const uint32_t write_beats = read_word(in);
    const uint32_t waves_from = read_word(in), waves_to = read_word(in);
    std::vector<uint32_t> descriptor(descriptor_words);
    for (auto& word : descriptor) word = read_word(in);
    std::vector<uint8_t> memory(size_t(read_beats) * beat_bytes);
    if (!memory.empty() && fread(memory.data(), 1, memory.size(), in) != memory.size()) {
      fprintf(stderr, "case file is truncated\n");
      return 3;
    }
    std::vector<uint8_t> written(size_t(write_beats) * beat_bytes);
    std::vector<uint32_t> when(write_beats);

    std::deque<Burst> bursts;
    put(top->start___05Fpayload, descriptor.data(), descriptor_words);
    uint64_t started = 0, last_write = 0;
    uint32_t status = 1;
    bool running = false;
    bool read_valid = false;
    for (uint64_t cycle = 0; cycle < max_cycles; ++cycle) {
      dump = waves_from <= cycle && cycle <= waves_to;
      top->start___05Fvalid = !running;
      if (!read_valid && !bursts.empty() && bursts.front().ready <= cycle) {
        read_valid = !gap || !random.chance(gap);
        if (read_valid) {
          const size_t at = size_t(bursts.front().beat) * beat_bytes;
          std::memset(scratch.data(), 0, scratch.size() * 4);
          std::memcpy(scratch.data(), memory.data() + at, beat_bytes);
          put(top->read___05Fpayload, scratch.data(), beat_words);
        }
      }
      top->read___05Fvalid = read_valid;
      top->command___05Fready = !gap || !random.chance(gap);
      top->write___05Fready = !gap || !random.chance(gap);
      half(0);
      const bool accepted = top->start___05Fvalid && top->start___05Fready;
      if (accepted) started = cycle;
      if (top->read___05Fvalid && top->read___05Fready) {
        read_valid = false;
        Burst& burst = bursts.front();
        ++burst.beat;
        if (--burst.left == 0) bursts.pop_front();
      }
      if (top->command___05Fvalid && top->command___05Fready) {
        const uint64_t command = uint64_t(get(top->command___05Fpayload, 0)) |
                                 uint64_t(get(top->command___05Fpayload, 1)) << 32;
        const uint32_t beat = uint32_t(command), beats = uint32_t(command >> 32);
        if (!beats || beat >= read_beats || beats > read_beats - beat) {
          status = 2;
          break;
        }
        bursts.push_back({cycle + latency, beat, beats});
      }
      if (top->write___05Fvalid && top->write___05Fready) {
        const uint32_t beat = get(top->write___05Fpayload, 0) - write_base;
        if (beat >= write_beats) {
          status = 2;
          break;
        }
        for (uint32_t i = 0; i < beat_words; ++i) scratch[i] = get(top->write___05Fpayload, i + 1);
        std::memcpy(written.data() + size_t(beat) * beat_bytes, scratch.data(), beat_bytes);
        last_write = cycle;
        when[beat] = uint32_t(cycle - started);
      }
      const bool was_busy = top->busy;
      half(1);
      if (accepted) running = true;
      if (running && was_busy && !top->busy) {
        status = bursts.empty() ? 0 : 3;
        break;
      }
    }
    top->start___05Fvalid = 0;
    half(0);

    const uint64_t cycles = last_write - started;
    fwrite(&status, 4, 1, out);
    fwrite(&cycles, 8, 1, out);
#define COUNTER(name)                      \
  {                                        \
    const uint64_t value = top->count_##name; \
    fwrite(&value, 8, 1, out);             \
  }
    COUNTERS
#undef COUNTER
    fwrite(written.data(), 1, written.size(), out);
    fwrite(when.data(), 4, when.size(), out);
    fflush(out);
    if (status) break;  // the engine is stuck: further cases would say nothing
  }
#if VM_TRACE
  if (waves) waves->close();
#endif
  fclose(in);
  return fclose(out) ? 3 : 0;
}
