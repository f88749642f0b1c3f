package fetch

import (
	"strings"

	"mailhaul/fetch/state"
)

// unclaimed stands in front of a delivery id in place of a unique-id, which no server can send so (a lone
// CR). The entry is of a message that an interrupted run has delivered and that is not listed: it is gone,
// or the listing is not all. It is forgotten as any other that is absent.
const unclaimed = "\r"

// claim records under its unique-id what was unclaimed and is listed now. A crash in between has it
// recorded once more.
func (r *run) claim() error {
	if len(r.items) == 0 {
		return nil // there is nobody to claim it
	}
	free := map[string]state.Entry{}
	nonces := map[string]bool{}
	for e := range r.st.All() {
		if id, ok := strings.CutPrefix(e.UID, unclaimed); ok && len(id) > deliveryHash {
			free[id] = e
			nonces[id[:len(id)-deliveryHash]] = true
		}
	}
	var es []state.Entry
	var ids []string
	var aside []func()
	for nonce := range nonces {
		for id, m := range r.ids(nonce, func(id string) bool { _, ok := free[id]; return ok }) {
			if e, ok := free[id]; ok {
				if e.Quarantine != "" {
					aside = append(aside, r.foundAside(m.it, e.Quarantine))
				}
				e.UID, e.Copy, e.Reason = m.it.uid, m.copy, m.short(e.Size)
				es = append(es, e)
				ids = append(ids, unclaimed+id)
			}
		}
	}
	if len(es) == 0 {
		return nil
	}
	if err := r.st.Add(es...); err != nil {
		return err
	}
	if _, err := r.st.Forget(ids...); err != nil {
		return err
	}
	for _, tell := range aside {
		tell()
	}
	return nil
}
