"""What is computed of a market, purely: indicators, windows, rules, scores, alerts. `adapter` alone knows Flink."""
