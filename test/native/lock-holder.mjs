// Holds a lock until it is killed; says on standard output whether it got it.
const [addon, path, holder] = process.argv.slice(2);
const { lockFile } = await import(addon);
process.stdout.write(lockFile(path, holder) === null ? "held elsewhere\n" : "taken\n");
setInterval(() => {}, 1000);
