"""Reference of table-lookup mpGEMM: weights as bit planes, symmetric tables, their sums."""
