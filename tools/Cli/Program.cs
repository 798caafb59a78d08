using ManagedTransformers.Cli;

CliConsole console = CliConsole.OfProcess();
int exitCode = await Mtx.RunAsync(args, console).ConfigureAwait(false);
return console.Close(exitCode);
