"""Training of the networks: data sets of mocks, augmentation, resumable loops, model cards."""
