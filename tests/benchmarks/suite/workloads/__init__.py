"""One file per workload.

Each states `SETTINGS`, the parameters' `shapes`, the `batches`, the network twice (once in the
names torch and workbench share, once for JAX), its `OPTIMIZER`, and how much work a step is:
`flops` of its matrix products and the `traffic` in bytes.
"""
