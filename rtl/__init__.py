"""How it is built: Amaranth, and the way to Verilog, Verilator and synthesis."""
