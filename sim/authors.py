"""The MixPE authors' cycle and energy model, for ``accounting="authors"``.

It computes what the paper's authors published, with their counting: operands of W4A8 are charged
at 4 bit, every MAC reads both operands from a buffer, attention is absent.  Dovetail's own numbers
come from its cycle-exact simulator and its RTL instead.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from dovetail.arch.authors import AuthorsDesign, authors_model
from dovetail.arch.mixpe import MixpeDesign
from dovetail.errors import ConfigError
from dovetail.models.authors import AuthorsOp, authors_network, authors_operators
from dovetail.models.networks.mixpe_authors import AUTHORS_BATCH
from dovetail.models.trace import Trace
from dovetail.sim.authors_search import AuthorsCost, best_mapping

# The core of a Dovetail engine, and the authors' design that has such PEs.
_DESIGN_OF_CORE = {
    "mixpe_w4a8": "mixpe-w4a8",
    "mixpe_w4a16": "mixpe-w4a16",
    "int8": "int8",
    "fp16": "fp16",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorsEnergy:
    """Energy by part, in pJ.

    Attributes
    ----------
    static_pj : float
        DRAM's static power.  Leakage of the buffers is left out, as in the source.
    dram_pj, buffer_pj : float
        Dynamic.
    core_pj : float
        The array: leakage in every cycle, dynamic power in every cycle that does not stall.
    """

    static_pj: float
    dram_pj: float
    buffer_pj: float
    core_pj: float

    @property
    def total_pj(self) -> float:
        return self.static_pj + self.dram_pj + self.buffer_pj + self.core_pj


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorsOpResult:
    """One distinct operator: ``cost`` and ``energy`` of one run; it runs ``count`` times."""

    op: AuthorsOp
    count: int
    cost: AuthorsCost
    energy: AuthorsEnergy


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorsResult:
    """A network on a design.

    Attributes
    ----------
    design : AuthorsDesign
    network : str
    ops : tuple of AuthorsOpResult
        Distinct operators, in the order in which they first run.
    """

    design: AuthorsDesign
    network: str
    ops: tuple[AuthorsOpResult, ...]

    @property
    def cycles(self) -> int:
        return sum(r.count * r.cost.cycles for r in self.ops)

    @property
    def stall_cycles(self) -> int:
        return sum(r.count * r.cost.stall_cycles for r in self.ops)

    @property
    def energy(self) -> AuthorsEnergy:
        return AuthorsEnergy(
            static_pj=sum(r.count * r.energy.static_pj for r in self.ops),
            dram_pj=sum(r.count * r.energy.dram_pj for r in self.ops),
            buffer_pj=sum(r.count * r.energy.buffer_pj for r in self.ops),
            core_pj=sum(r.count * r.energy.core_pj for r in self.ops),
        )

    @property
    def macs(self) -> int:
        """MACs of the network; those that stand for dequantisation are not its work."""
        return sum(r.count * r.op.macs for r in self.ops if r.op.role != "dequant")

    @property
    def utilization(self) -> float:
        """MACs / (peak x cycles), the peak at the width of the linear layers."""
        pe = authors_model().pe[self.design.pe]
        peak = self.design.rows * self.design.cols * pe.factor(self.design.linear_bits) ** 2
        return self.macs / (peak * self.cycles)


def simulate_authors(design: str, network: str, *, batch: int = AUTHORS_BATCH) -> AuthorsResult:
    """Count cycles and energy of ``network`` on one of the authors' accelerators.

    Parameters
    ----------
    design : str
        A key of ``authors_model().designs``, such as ``"mixpe-w4a8"``.
    network : str
        A key of ``dovetail.models.networks.mixpe_authors.AUTHORS``, such as
        ``"opt-6.7b-authors"``.
    batch : int
        Rows of every GEMM.
    """
    return _simulate(authors_model().design(design), network, batch)


def account_as_authors(design: MixpeDesign, trace: Trace) -> AuthorsResult:
    """Count a Dovetail design as the authors would: its array in their platform.

    Rows, columns and core are those of ``design``.  Buffers, DRAM, clock and PE power are the
    authors', whose energies hold for no others; so are group size and precisions.
    """
    core = design.engine.core
    if core not in _DESIGN_OF_CORE:
        raise ConfigError(
            f"core={core} is not among the authors' designs, so their accounting does not apply; "
            f"use one of {', '.join(_DESIGN_OF_CORE)}"
        )
    theirs = authors_model().design(_DESIGN_OF_CORE[core])
    array = replace(theirs, rows=design.engine.rows, cols=design.engine.cols)
    return _simulate(array, trace.network, trace.batch)


def _simulate(design: AuthorsDesign, network: str, batch: int) -> AuthorsResult:
    results = []
    for op, count in authors_operators(design, authors_network(network), batch=batch).items():
        cost = best_mapping(op, design)
        results.append(AuthorsOpResult(op=op, count=count, cost=cost, energy=_energy(cost, design)))
    return AuthorsResult(design=design, network=network, ops=tuple(results))


def _energy(cost: AuthorsCost, design: AuthorsDesign) -> AuthorsEnergy:
    """Price one operator; mW over MHz is nJ a cycle, nW over MHz is fJ."""
    model = authors_model()
    clock_mhz = model.platform.clock_mhz
    weight, activation, output = (model.buffers[b] for b in ("weight", "activation", "output"))
    dram = model.dram["reported"]
    pe = model.pe[design.pe]
    busy = cost.cycles - cost.stall_cycles
    pe_fj = (cost.cycles * pe.leakage_nw + busy * pe.dynamic_nw) / clock_mhz
    return AuthorsEnergy(
        static_pj=cost.cycles * dram.static_mw / clock_mhz * 1e3,
        dram_pj=cost.dram_read_bits * dram.read_pj_per_bit
        + cost.dram_write_bits * dram.write_pj_per_bit,
        buffer_pj=cost.weight_read_bits * weight.read_pj_per_bit
        + cost.weight_write_bits * weight.write_pj_per_bit
        + cost.activation_read_bits * activation.read_pj_per_bit
        + cost.activation_write_bits * activation.write_pj_per_bit
        + cost.output_read_bits * output.read_pj_per_bit
        + cost.output_write_bits * output.write_pj_per_bit,
        core_pj=design.rows * design.cols * pe_fj * 1e-3,
    )
