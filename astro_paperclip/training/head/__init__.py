"""Method ``head``: the towers stay as they are, projections behind them are trained."""
