package peer

// mpop reads a configuration of mpop.
func (imp *Import) mpop(src Source, site Site) error { return nil }
