"""rtl/asic/opensta_verilog.py: an assign for each bit, and nothing else changed."""

from dovetail.rtl.asic.opensta_verilog import opensta_verilog

GIVEN = r"""module m(a, b, o);
  input signed [3:0] a;
  wire signed [3:0] a;
  input b;
  output [6:2] o;
  wire \x.y ;
  wire [1:0] \q[3] ;
  INV u0 (
    .A({ b }),
    .Y(o[2])
  );
  assign { o[6:5], o[4], \x.y  } = { 2'b01, a[3:2] };
  assign \q[3]  = { b, a[0] };
  assign { b, \q[3] [0] } = a[1:0];
  assign o[3:2] = a[1:0];
endmodule
"""
WANTED = r"""module m(a, b, o);
  input [3:0] a;
  wire [3:0] a;
  input b;
  output [6:2] o;
  wire \x.y ;
  wire [1:0] \q[3] ;
  INV u0 (
    .A({ b }),
    .Y(o[2])
  );
  assign o[6] = 1'b0;
  assign o[5] = 1'b1;
  assign o[4] = a[3];
  assign \x.y  = a[2];
  assign \q[3] [1] = b;
  assign \q[3] [0] = a[0];
  assign b = a[1];
  assign \q[3] [0] = a[0];
  assign o[3:2] = a[1:0];
endmodule
"""


def test_every_bit_has_an_assign_of_its_own() -> None:
    assert opensta_verilog(GIVEN) == WANTED
