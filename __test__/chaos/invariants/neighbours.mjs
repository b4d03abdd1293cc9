/** Who in a group can have had a record: those that had the ones beside it, and whoever was at the partition last. */
export function suspects(timeline, group, partition, { offset, at = Number.POSITIVE_INFINITY }) {
  let below;
  let above;
  let last;
  const found = new Set();
  for (const delivery of timeline.deliveriesOf.get(`${group} ${partition}`) ?? []) {
    if (delivery.offset === offset) found.add(delivery.begin.process);
    if (delivery.offset < offset && !(below?.offset > delivery.offset)) below = delivery;
    if (delivery.offset > offset && !(above?.offset < delivery.offset)) above = delivery;
    if (delivery.begin.at <= at && !(last?.begin.at > delivery.begin.at)) last = delivery;
  }
  for (const delivery of [below, above, last]) if (delivery) found.add(delivery.begin.process);
  return [...found];
}
