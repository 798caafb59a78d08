using BenchmarkDotNet.Running;
using ManagedTransformers.Bench;
using ManagedTransformers.Models;

switch (args)
{
    case ["micro", .. string[] rest]:
        BenchmarkSwitcher.FromAssembly(typeof(MatMulBenchmarks).Assembly).Run(rest);
        return 0;
    case [ColdStartWork.Command, string directory, string threads]:
        ColdStartWork.Serve(directory, int.Parse(threads));
        return 0;
    case [ConvertWork.Command, string source, string target, string format, _]:
        ConvertWork.Serve(source, target, Enum.Parse<WeightFormat>(format));
        return 0;
    case [LoadQuantizedWork.Command, string source, string format, string threads]:
        LoadQuantizedWork.Serve(source, Enum.Parse<WeightFormat>(format), int.Parse(threads));
        return 0;
    case [ServerLoadCommand.HostCommand, .. string[] models]:
        return await ServerLoadCommand.HostAsync(models);
    case [ServerLoadCommand.Command, .. string[] numbers]:
        return await ServerLoadCommand.RunAsync(numbers);
    case [SoakCommand.Command, .. string[] numbers]:
        return await SoakCommand.RunAsync(numbers);
    case [FleetCommand.Command, .. string[] options]:
        return await FleetCommand.Create().Parse(options).InvokeAsync();
    default:
        return BenchCommand.Create().Parse(args).Invoke();
}
