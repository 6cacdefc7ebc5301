// How the rows are told of: a line each, which says PASS or FAIL.

exports.same = (got, wanted) => {
  const [one, other] = [JSON.stringify(got), JSON.stringify(wanted)];
  if (one !== other) throw new Error(`got ${one}, wanted ${other}`);
};

exports.report = async (row, test) => {
  try {
    await test();
    console.log(`PASS ${row}`);
  } catch (error) {
    console.log(`FAIL ${row} ${JSON.stringify(String(error))}`);
  }
};
