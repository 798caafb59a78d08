using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;
using ManagedTransformers.Kernels;

namespace ManagedTransformers.Bench;

/// <summary>Which machine the numbers are of.</summary>
internal static class MachineDescription
{
    public static string Text { get; } =
        $"{CpuModel()}, {Environment.ProcessorCount} cores, {string.Join(" ", Extensions())}, "
        + $"{RuntimeInformation.FrameworkDescription}, {RuntimeInformation.RuntimeIdentifier}";

    private static string CpuModel()
    {
        const string Path = "/proc/cpuinfo";
        if (!File.Exists(Path))
            return $"{RuntimeInformation.ProcessArchitecture}";
        string[] lines = File.ReadAllLines(Path);
        string Field(string name) => lines.FirstOrDefault(line => line.StartsWith(name, StringComparison.Ordinal))?.Split(':', 2)[1].Trim() ?? "?";
        // Family and model too: in a virtual machine the name may be as short as "AMD EPYC".
        return $"{Field("model name")} (family {Field("cpu family")} model {Field("model\t")})";
    }

    private static IEnumerable<string> Extensions()
    {
        if (KernelDispatch.IsSupported(KernelLevel.Avx512))
            yield return "AVX-512";
        if (KernelDispatch.IsSupported(KernelLevel.Avx2))
            yield return "AVX2";
        if (AvxVnni.IsSupported)
            yield return "AVX-VNNI";
    }
}
