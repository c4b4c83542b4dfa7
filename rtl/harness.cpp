// Runs cases on a verilated engine: a DRAM model around its read ports and its write port, one
// process for many cases.  Started by rtl/verilator.py, which defines the lists COUNTERS and PORTS.
//
// Verilator writes a double underscore in a port name as ___05F.
//
// All ports reach one memory.  A command reads what was written in the cycles before it was accepted;
// with gaps some commands also see what is written until their data leave, so that an engine that
// writes what is still to be read is found out.
//
// Case file, little-endian 32-bit words:
//   cases, beat_bytes, descriptor_words
//   per case: latency, gap_seed, gap_256 (chance of a gap or of back-pressure, in 1/256),
//             max_cycles, read_beats, write_base, write_beats, first and last cycle of the waveform
//             (last before first: none), descriptor, memory image of read_beats
// Result file: per case: status (0 done, 1 time-out, 2 bad address, 3 beats left over), 64-bit
//   cycles, 64-bit counters, written beats, and the 32-bit cycle at which each was written (0 =
//   never).

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
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
  std::vector<uint8_t> data;  // as the command saw it; empty: as it is when it leaves
  size_t at;                  // next byte of data
};

struct ReadPort {
  std::deque<Burst> bursts;
  bool valid = false;
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
#define PORT(command, read)          \
  top->read##___05Fvalid = 0;        \
  top->command##___05Fready = 0;
  PORTS
#undef PORT
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
    const uint64_t beats = std::max<uint64_t>(read_beats, uint64_t(write_base) + write_beats);
    std::vector<uint8_t> memory(beats * beat_bytes);
    const size_t image = size_t(read_beats) * beat_bytes;
    if (image && fread(memory.data(), 1, image, in) != image) {
      fprintf(stderr, "case file is truncated\n");
      return 3;
    }
    std::vector<uint32_t> when(write_beats);

#define PORT(command, read) ReadPort port_##read;
    PORTS
#undef PORT
    put(top->start___05Fpayload, descriptor.data(), descriptor_words);
    uint64_t started = 0, last_write = 0;
    uint32_t status = 1;
    bool running = false;
    // A beat that the memory offers stays until it is taken.
    auto offer = [&](ReadPort& port, auto& payload, uint64_t cycle) {
      if (port.valid || port.bursts.empty() || port.bursts.front().ready > cycle) return;
      if (gap && random.chance(gap)) return;
      port.valid = true;
      const Burst& burst = port.bursts.front();
      const uint8_t* data = burst.data.empty() ? &memory[size_t(burst.beat) * beat_bytes]
                                               : &burst.data[burst.at];
      std::memset(scratch.data(), 0, scratch.size() * 4);
      std::memcpy(scratch.data(), data, beat_bytes);
      put(payload, scratch.data(), beat_words);
    };
    auto take = [&](ReadPort& port) {
      port.valid = false;
      Burst& burst = port.bursts.front();
      ++burst.beat;
      burst.at += beat_bytes;
      if (--burst.left == 0) port.bursts.pop_front();
    };
    // False where the address is outside the image.
    auto open = [&](ReadPort& port, uint32_t beat, uint32_t count, uint64_t cycle) {
      if (!count || beat >= read_beats || count > read_beats - beat) return false;
      Burst burst{cycle + latency, beat, count, {}, 0};
      if (!gap || !random.chance(128)) {
        const uint8_t* first = &memory[size_t(beat) * beat_bytes];
        burst.data.assign(first, first + size_t(count) * beat_bytes);
      }
      port.bursts.push_back(std::move(burst));
      return true;
    };
    for (uint64_t cycle = 0; cycle < max_cycles; ++cycle) {
      dump = waves_from <= cycle && cycle <= waves_to;
      top->start___05Fvalid = !running;
#define PORT(command, read)                             \
  offer(port_##read, top->read##___05Fpayload, cycle);  \
  top->read##___05Fvalid = port_##read.valid;           \
  top->command##___05Fready = !gap || !random.chance(gap);
      PORTS
#undef PORT
      top->write___05Fready = !gap || !random.chance(gap);
      half(0);
      const bool accepted = top->start___05Fvalid && top->start___05Fready;
      if (accepted) started = cycle;
      bool outside = false;
#define PORT(command, read)                                                              \
  if (top->read##___05Fvalid && top->read##___05Fready) take(port_##read);               \
  if (top->command##___05Fvalid && top->command##___05Fready) {                          \
    const auto& payload = top->command##___05Fpayload;                                   \
    if (!open(port_##read, get(payload, 0), get(payload, 1), cycle)) outside = true;     \
  }
      PORTS
#undef PORT
      if (top->write___05Fvalid && top->write___05Fready) {
        const uint32_t beat = get(top->write___05Fpayload, 0) - write_base;
        if (beat < write_beats) {
          for (uint32_t i = 0; i < beat_words; ++i) {
            scratch[i] = get(top->write___05Fpayload, i + 1);
          }
          std::memcpy(&memory[(uint64_t(write_base) + beat) * beat_bytes], scratch.data(), beat_bytes);
          last_write = cycle;
          when[beat] = uint32_t(cycle - started);
        } else {
          outside = true;
        }
      }
      if (outside) {
        status = 2;
        break;
      }
      const bool was_busy = top->busy;
      half(1);
      if (accepted) running = true;
      if (running && was_busy && !top->busy) {
        status = 0;
#define PORT(command, read) \
  if (!port_##read.bursts.empty()) status = 3;
        PORTS
#undef PORT
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
    fwrite(memory.data() + size_t(write_base) * beat_bytes, 1, size_t(write_beats) * beat_bytes, out);
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
