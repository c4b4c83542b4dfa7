"""Lockstep: reference = RTL to the bit, simulator = RTL to the cycle and to the event."""

from dovetail.lockstep.certify import Certificate, certify
from dovetail.lockstep.verify import VerifyReport, verify

__all__ = ["Certificate", "VerifyReport", "certify", "verify"]
