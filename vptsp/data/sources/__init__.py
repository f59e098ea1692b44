"""Published data sets in the layouts they are published in, one module for each way of writing things down."""
