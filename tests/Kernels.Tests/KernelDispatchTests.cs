using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace ManagedTransformers.Kernels.Tests;

public sealed class KernelDispatchTests
{
    private static readonly KernelLevel[] s_upToAvx2 = [KernelLevel.Reference, KernelLevel.Portable, KernelLevel.Avx2];

    [TestCase(null)]
    [TestCase("")]
    [TestCase("  ")]
    public void Without_MTX_KERNELS_the_best_supported_level_is_chosen(string? value) =>
        Assert.That(KernelDispatch.Choose(value, s_upToAvx2, compiledAhead: false), Is.EqualTo(KernelLevel.Avx2));

    [TestCase("Reference", KernelLevel.Reference)]
    [TestCase("portable", KernelLevel.Portable)]
    [TestCase("AVX2", KernelLevel.Avx2)]
    [TestCase(" avx2 ", KernelLevel.Avx2)]
    public void MTX_KERNELS_names_a_level_in_any_case(string value, KernelLevel expected) =>
        Assert.That(KernelDispatch.Choose(value, s_upToAvx2, compiledAhead: false), Is.EqualTo(expected));

    [TestCase("sse")]
    [TestCase("2")]
    [TestCase("Avx2,Portable")]
    public void An_unknown_name_is_refused_and_the_message_lists_all(string value) =>
        Assert.That(() => KernelDispatch.Choose(value, s_upToAvx2, compiledAhead: false), Throws.InvalidOperationException.With.Message.Contains(value)
            .And.Message.Contains("Reference, Portable, Vector128, Avx2, Avx512"));

    [Test]
    public void A_level_that_the_CPU_lacks_is_refused_and_the_message_lists_what_it_has() =>
        Assert.That(() => KernelDispatch.Choose("avx512", s_upToAvx2, compiledAhead: false),
            Throws.TypeOf<PlatformNotSupportedException>().With.Message.Contains("Reference, Portable, Avx2"));

    [Test]
    public void An_app_compiled_ahead_of_time_hears_of_the_setting_that_decides() =>
        Assert.That(() => KernelDispatch.Choose("avx512", s_upToAvx2, compiledAhead: true),
            Throws.TypeOf<PlatformNotSupportedException>().With.Message.Contains("IlcInstructionSet").And.Message.Contains("Reference, Portable, Avx2."));

    [Test]
    public void Reference_and_Portable_are_always_supported() =>
        Assert.That(KernelDispatch.Supported, Is.SupersetOf(new[] { KernelLevel.Reference, KernelLevel.Portable }));

    [Test]
    public void Vector128_is_chosen_where_vectors_of_128_bits_are_all_there_is()
    {
        Assert.That(KernelDispatch.Choose(null, [KernelLevel.Reference, KernelLevel.Portable, KernelLevel.Vector128], compiledAhead: false),
            Is.EqualTo(KernelLevel.Vector128));
        Assert.That(KernelDispatch.IsSupported(KernelLevel.Vector128), Is.EqualTo(Vector128.IsHardwareAccelerated));
    }

    [Test]
    public void Avx512_needs_the_instruction_set_not_the_opinion_of_Vector512() =>
        Assert.That(KernelDispatch.IsSupported(KernelLevel.Avx512),
            Is.EqualTo(Avx512F.IsSupported && Avx512BW.IsSupported && Avx512DQ.IsSupported && Avx512F.VL.IsSupported));

    [Test]
    public void Options_refuse_a_level_that_does_not_exist() =>
        Assert.That(() => new KernelOptions { Level = (KernelLevel)9 }, Throws.TypeOf<PlatformNotSupportedException>());

    [Test]
    public void Options_refuse_0_threads() =>
        Assert.That(() => new KernelOptions { MaxThreads = 0 }, Throws.TypeOf<ArgumentOutOfRangeException>().With.Message.Contains("at least 1"));

    [Test]
    public void Options_default_to_the_dispatched_level_on_all_processors() =>
        Assert.That(KernelOptions.Default, Is.EqualTo(new KernelOptions { Level = KernelDispatch.Level, MaxThreads = Environment.ProcessorCount }));

    [Test]
    public void The_plain_loops_run_on_one_thread_whatever_is_asked_for()
    {
        int before = WorkerPool.Shared.ThreadCount;
        var options = new KernelOptions { Level = KernelLevel.Reference, MaxThreads = before + 2 };
        float[] weights = new float[(before + 8) * 64];
        Quantization.Quantize(new WeightMatrix(MemoryMarshal.AsBytes<float>(weights), WeightType.F32, before + 8, 64), WeightType.Int8,
            new byte[(before + 8) * 68], options);
        Assert.That(options.MaxThreads, Is.EqualTo(1));
        Assert.That(WorkerPool.Shared.ThreadCount, Is.EqualTo(before), "threads made");
        Assert.That((options with { Level = KernelLevel.Portable }).MaxThreads, Is.EqualTo(before + 2));
    }
}
