"""What the program means: values, flow and events. Knows nothing of rules, reports or settings files."""
