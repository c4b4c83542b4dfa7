"""A library of round numbers, so that a test can work its figures out by hand."""

TINY = """
library (tiny) {
  time_unit : "1ps"; voltage_unit : "1V"; leakage_power_unit : "1pW";
  capacitive_load_unit (1, ff);
  nom_process : 1; nom_voltage : 2; nom_temperature : 25;
  voltage_map (VDD, 2.0);
  voltage_map (VSS, 0.0);
  operating_conditions (mild) { process : 1.5; voltage : 2.0; temperature : 30; }
  default_operating_conditions : mild;
  power_lut_template (by_slew) { variable_1 : input_transition_time; index_1 ("0, 100"); }
  power_lut_template (by_both) {
    variable_1 : total_output_net_capacitance; variable_2 : input_transition_time;
    index_1 ("0, 10, 30"); index_2 ("0, 100");
  }
  /* cell (GHOST) { is only a comment */
  cell (INV) {
    area : 1.5; cell_leakage_power : 3000;
    pg_pin (VDD) { voltage_name : VDD; pg_type : primary_power; }
    pg_pin (VSS) { voltage_name : VSS; pg_type : primary_ground; }
    pin (A) { direction : input; capacitance : 4; rise_capacitance : 5; fall_capacitance : 3; }
    pin (Y) {
      direction : output; function : "!A"; related_power_pin : VDD;
      timing () { related_pin : "A"; cell_rise (scalar) { values ("7"); } }
      internal_power () {
        related_pin : "A"; related_pg_pin : VDD;
        rise_power (by_both) { values ("1, 2", \\
                                       "3, 4", "5, 6"); }
        fall_power (scalar) { values ("10"); }
      }
      internal_power () {
        related_pin : "A"; related_pg_pin : VSS;
        rise_power (scalar) { values ("1000"); } fall_power (scalar) { values ("1000"); }
      }
    }
  }
  cell ("AND2") {
    area : 2;
    leakage_power () { when : "A&B"; value : 1000; }
    leakage_power () { when : "!(A&B)"; value : "2000"; }
    pin (A) {
      direction : input; capacitance : 1;
      internal_power () { when : "!B"; power (by_slew) { values ("2, 4"); } }
      internal_power () { power (scalar) { values ("6"); } }
    }
    pin (B) { direction : input; capacitance : 1; }
    pin (Y) {
      direction : output; function : "A B";
      internal_power () { related_pin : "A"; power (scalar) { values ("8"); } }
      internal_power () { related_pin : "B"; power (scalar) { values ("20"); } }
    }
  }
  cell (DFF) {
    area : 5;
    leakage_power () { value : 4000; related_pg_pin : VDD; }
    leakage_power () { when : "CK"; value : 9000; related_pg_pin : VDD; }
    ff (IQ, IQN) { clocked_on : "CK"; next_state : "D"; clear : "!RN"; }
    pin (CK) {
      direction : input; clock : true; capacitance : 2;
      internal_power () { when : "D ^ Q"; power (scalar) { values ("1"); } }
      internal_power () { when : "!(D ^ Q)"; power (scalar) { values ("3"); } }
    }
    pin (D) { direction : input; capacitance : 2; }
    pin (RN) { direction : input; capacitance : 2; }
    pin (Q) {
      direction : output; function : "IQ";
      internal_power () { related_pin : "CK"; power (scalar) { values ("30"); } }
    }
  }
}
"""
