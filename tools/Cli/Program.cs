using ManagedTransformers.Cli;

CliConsole console = CliConsole.OfProcess();
int exitCode = await Mtx.RunAsync(args, console).ConfigureAwait(false);
console.Flush();
return exitCode;
