"""Our own HDF5 files; the only importers of h5py."""
