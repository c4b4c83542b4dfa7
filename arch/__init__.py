"""What the hardware is: configurations, formats, events and technology tables.  Data only."""
