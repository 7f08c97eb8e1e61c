"""What goes on inside a model: probes of what it holds on to."""
