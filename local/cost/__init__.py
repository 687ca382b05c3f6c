"""What Padlock costs in AWS: prices, measured figures, a model of the stack, and the page docs/cost.md."""
