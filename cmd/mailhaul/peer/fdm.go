package peer

// fdm reads a configuration of fdm.
func (imp *Import) fdm(src Source, site Site) error { return nil }
