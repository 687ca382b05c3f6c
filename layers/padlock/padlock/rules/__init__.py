"""The catalogue of checks. A new subject adds one import line; the order is the order of a report."""

from padlock.rules._rule import RULES, NotApplicable, Problem, Rule, Unknown

__all__ = ["RULES", "NotApplicable", "Problem", "Rule", "Unknown"]
