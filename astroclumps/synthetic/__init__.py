"""An embedded suite of evolving clumpy discs: a kinematic model, made to train and test on where no simulation is at hand."""
