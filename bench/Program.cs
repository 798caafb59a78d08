using BenchmarkDotNet.Running;
using ManagedTransformers.Bench;

switch (args)
{
    case ["micro", .. string[] rest]:
        BenchmarkSwitcher.FromAssembly(typeof(MatMulBenchmarks).Assembly).Run(rest);
        return 0;
    case [FirstToken.Command, string directory, string threads]:
        FirstToken.Serve(directory, int.Parse(threads));
        return 0;
    case [ServerLoadCommand.HostCommand, .. string[] models]:
        return await ServerLoadCommand.HostAsync(models);
    case [ServerLoadCommand.Command, .. string[] numbers]:
        return await ServerLoadCommand.RunAsync(numbers);
    case [SoakCommand.Command, .. string[] numbers]:
        return await SoakCommand.RunAsync(numbers);
    default:
        return BenchCommand.Create().Parse(args).Invoke();
}
